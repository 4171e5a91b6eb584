// How to lay out tiles.

export interface Grid {
  columns: number;
  rows: number;
  width: number;
  height: number;
}

// A camera's picture is 16:9. It is cut a little to fill a wide stage, and more on a phone held upright.
const widest = 16 / 9;
const narrowest = { wide: 4 / 3, upright: 3 / 4 };

/** The grid whose tiles are largest, for so many tiles in so large a space. */
export function grid(tiles: number, width: number, height: number, gap: number): Grid {
  const least = width >= height ? narrowest.wide : narrowest.upright;
  let best: Grid = { columns: 1, rows: Math.max(1, tiles), width: 0, height: 0 };
  for (let columns = 1; columns <= tiles; columns++) {
    const rows = Math.ceil(tiles / columns);
    const tile = fit((width - gap * (columns - 1)) / columns, (height - gap * (rows - 1)) / rows, least);
    if (tile.width * tile.height > best.width * best.height) best = { columns, rows, ...tile };
  }
  return best;
}

function fit(width: number, height: number, least: number): { width: number; height: number } {
  if (width <= 0 || height <= 0) return { width: 0, height: 0 };
  if (width / height > widest) return { width: Math.floor(height * widest), height: Math.floor(height) };
  if (width / height < least) return { width: Math.floor(width), height: Math.floor(width / least) };
  return { width: Math.floor(width), height: Math.floor(height) };
}
