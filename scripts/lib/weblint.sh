# Sourced by scripts/check: the script and the style of pages, by Biome out of npm. Skipped aloud
# where there is no npm, or it cannot fetch.

biome_version=2.6.8

lint_web() {
    web=$venv/web
    biome=$web/node_modules/.bin/biome
    if [ "$(cat "$web/.version" 2>/dev/null)" != "$biome_version" ] || [ ! -x "$biome" ]; then
        if ! command -v npm >/dev/null; then
            say "SKIPPED: page.js and page.css are not looked at: there is no npm here"
            return 0
        fi
        mkdir -p "$web"
        if ! timeout 180 npm install --silent --no-audit --no-fund --no-save --prefix "$web" \
            "@biomejs/biome@$biome_version" </dev/null >&2; then
            say "SKIPPED: page.js and page.css are not looked at: npm cannot install Biome here"
            return 0
        fi
        echo "$biome_version" >"$web/.version"
    fi
    "$biome" check --error-on-warnings
}
