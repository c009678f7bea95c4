"""Region: where on a cart's screen the ultrasound image lies."""
