"""Independent tasks in processes of this machine or of a cluster; signals; memory."""
