"""Golden tables: what is right for chosen calls, and how far from it an answer may be, for tests in any language."""
