"""Lymph nodes: cortex and hilum of a found node, what they measure, and which criteria that meets."""
