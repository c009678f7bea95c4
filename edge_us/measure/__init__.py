"""Size, place and proportions of a lesion, per frame and smoothed over its track."""
