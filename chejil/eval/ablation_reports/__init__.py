"""What a sweep of proxies says: its folder read, the report computed, shown on a terminal and a page, and checked."""
