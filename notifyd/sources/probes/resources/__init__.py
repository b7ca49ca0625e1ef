"""Resources of the machine or its cgroup, measured at intervals against limits."""
