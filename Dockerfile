# edge_us on x86-64. Research use only. Not for diagnosis.
#
#   docker build -t edge-us .
#   docker run --rm -v "$PWD:/data" edge-us run /data/CLIP.mp4 --record /data/out.mp4 --findings /data/out.jsonl
#
# With a GPU, from a base that brings CUDA, TensorRT and its Python package; not yet built, and not yet run on a GPU:
#   docker build -t edge-us:gpu --build-arg BASE=nvcr.io/nvidia/tensorrt:24.12-py3 --build-arg EXTRAS=build,cuda \
#       --build-arg CUDA_BINDINGS="cuda-bindings<13" .
#   docker run --rm --gpus all -e NVIDIA_DRIVER_CAPABILITIES=compute,utility,video -v edge-us-engines:/engines \
#       -v "$PWD:/data" edge-us:gpu run /data/CLIP.mp4 --record /data/out.mp4
#
# A capture card needs --device /dev/video0. A display needs --device /dev/dri, or the X11 or Wayland socket and its
# variable. The user in the container is 1000, who must be allowed to write what is mounted.
ARG BASE=debian:12-slim
# hadolint ignore=DL3006
FROM ${BASE}

SHELL ["/bin/bash", "-o", "pipefail", "-c"]
ENV DEBIAN_FRONTEND=noninteractive

# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        python3-venv python3-gi gir1.2-gstreamer-1.0 gir1.2-gst-plugins-base-1.0 \
        gstreamer1.0-plugins-base gstreamer1.0-plugins-good gstreamer1.0-plugins-bad gstreamer1.0-plugins-ugly \
        gstreamer1.0-libav gstreamer1.0-x \
    && rm -rf /var/lib/apt/lists/*

WORKDIR /opt/edge_us
COPY pyproject.toml README.md LICENSE ./
COPY edge_us edge_us
COPY models models
COPY calibration calibration
# PyGObject comes from the distribution, so that it fits the system's GStreamer.
ARG EXTRAS=metrics
ARG CUDA_BINDINGS=
RUN python3 -m venv --system-site-packages /opt/venv \
    && /opt/venv/bin/pip install --no-cache-dir ".[${EXTRAS}]" ${CUDA_BINDINGS:+"${CUDA_BINDINGS}"} \
    && rm -rf /opt/edge_us
COPY packaging/container-start.sh /usr/local/bin/edge-us-start

# Capture cards belong to the group video, GPUs and displays to render. Some bases have a user 1000 already.
RUN groupadd --force --system render \
    && { ! getent passwd 1000 || userdel "$(id -nu 1000)"; } \
    && useradd --create-home --uid 1000 --groups video,render edge \
    && install -d -o edge /engines
USER 1000
WORKDIR /home/edge
ENV PATH=/opt/venv/bin:$PATH EDGE_US_ENGINES=/engines

HEALTHCHECK --interval=5m --timeout=60s --start-period=30s CMD ["edge-us", "doctor"]
ENTRYPOINT ["edge-us-start"]
CMD ["doctor"]
