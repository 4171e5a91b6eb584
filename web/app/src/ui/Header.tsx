import type { ReactElement } from 'react';
import { Brand } from './Brand.js';
import css from './Header.module.css';
import { ThemeToggle } from './ThemeToggle.js';

export function Header(): ReactElement {
  return (
    <header className={css['header']}>
      <Brand />
      <ThemeToggle />
    </header>
  );
}
