"""Every kind of hostile peer, on every transport, under every profile: a bounded outcome for each."""
