"""Landmark files for people: what they hold, shown on the video, plotted, converted, cut and joined."""
