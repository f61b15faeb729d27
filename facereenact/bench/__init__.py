"""Speed and memory of the main jobs, stage by stage: `make bench`.

Timings vary with the machine and its load, so they are printed and never tested. Each figure is a median.
"""
