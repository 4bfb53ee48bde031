"""Money: hold, post, void."""
