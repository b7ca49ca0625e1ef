"""`notifyd doctor`: what keeps notifications from arriving, one module for each check.

Checks change nothing and send nothing. Each returns its findings, or raises nothing but bugs.
"""
