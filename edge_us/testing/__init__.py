"""For tests of one's own: replays of one's own clips against recorded findings, with pytest.

The plugin comes with the package: a test asks for the fixture ``edge_us_replay`` (see `plugin`).
"""
