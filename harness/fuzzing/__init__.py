"""Finding what nobody wrote down: cases drawn at random, judged, grouped by cause, shrunk and written."""
