"""Watts and joules beside a timing: sensors, meters, a model of the machine."""
