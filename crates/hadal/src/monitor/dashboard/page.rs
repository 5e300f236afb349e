//! The page: its files are part of the program, and load nothing from elsewhere.

/// Address, content type and content of each.
pub(super) const FILES: [(&str, &str, &str); 14] = [
    ("/", "text/html; charset=utf-8", include_str!("page/index.html")),
    ("/icon.svg", "image/svg+xml", include_str!("page/icon.svg")),
    ("/style.css", "text/css; charset=utf-8", include_str!("page/style.css")),
    ("/app.js", JS, include_str!("page/app.js")),
    ("/chart.js", JS, include_str!("page/chart.js")),
    ("/draw.js", JS, include_str!("page/draw.js")),
    ("/runs.js", JS, include_str!("page/runs.js")),
    ("/sections.js", JS, include_str!("page/sections.js")),
    ("/settings.js", JS, include_str!("page/settings.js")),
    ("/health.js", JS, include_str!("page/health.js")),
    ("/pictures.js", JS, include_str!("page/pictures.js")),
    ("/classes.js", JS, include_str!("page/classes.js")),
    ("/markdown.js", JS, include_str!("page/markdown.js")),
    ("/units.js", JS, include_str!("page/units.js")),
];

const JS: &str = "text/javascript; charset=utf-8";
