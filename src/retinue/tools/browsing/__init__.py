"""`web_browsing`: the model searches the web, opens pages, finds words in them and follows their links."""
