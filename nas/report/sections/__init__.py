"""The sections of the page: one file each, and one line in `nas.report.page.SECTIONS`."""
