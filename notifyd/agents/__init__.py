"""What the hooks of coding agents hand over, and the lines in their settings that call notifyd."""
