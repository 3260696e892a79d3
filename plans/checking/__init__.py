"""What Knitfab would say of Plans, without Knitfab."""
