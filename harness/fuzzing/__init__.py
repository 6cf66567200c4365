"""Finding what nobody wrote down: cases drawn by Hypothesis, judged, grouped by cause, shrunk and written."""
