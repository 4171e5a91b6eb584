import { Moon, Sun } from 'lucide-react';
import type { ReactElement } from 'react';
import { toggleTheme, useTheme } from '../theme.js';
import { IconButton } from './Button.js';

export function ThemeToggle(): ReactElement {
  const dark = useTheme() === 'dark';
  return <IconButton look="bare" label={dark ? 'Light colours' : 'Dark colours'} icon={dark ? <Sun /> : <Moon />} onClick={toggleTheme} />;
}
