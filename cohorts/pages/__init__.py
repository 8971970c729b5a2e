"""What people see of cohorts, groups and profiles: queries, forms, views."""
