"""Batch tracking: thousands of clips into landmark sequences, face crops and a manifest."""
