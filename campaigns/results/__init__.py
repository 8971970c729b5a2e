"""What became of campaigns and of everybody: the list, the detail page, the person lens, the CSV."""
