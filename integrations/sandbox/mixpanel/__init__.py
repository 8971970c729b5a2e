"""The stand-in Mixpanel: what may be asked of it, its cohorts, and its pushes."""
