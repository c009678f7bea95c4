"""Overlay: contours, callipers, ids, the HUD and the research-use notice, drawn into the encoder's planes."""
