"""What a rig's run says when it is done: one HTML page that needs nothing beside it but the serial logs."""
