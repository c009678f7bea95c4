"""The `edge-us` command."""
