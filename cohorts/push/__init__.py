"""The push: pages that Mixpanel sent, into sessions, and a complete session into a version."""
