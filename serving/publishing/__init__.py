"""From scores to a publication, which becomes visible at once and can be made again."""
