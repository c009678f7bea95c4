"""What of a picture may leave the process: the region that somebody named, and nothing else of the screen."""
