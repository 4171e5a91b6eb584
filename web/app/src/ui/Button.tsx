import type { ButtonHTMLAttributes, ReactElement, ReactNode, Ref } from 'react';
import css from './Button.module.css';

type Look = 'primary' | 'plain' | 'quiet' | 'danger';

export interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: Look;
  icon?: ReactNode;
  ref?: Ref<HTMLButtonElement>;
}

export function Button({ look = 'plain', icon, children, className, ...rest }: ButtonProps): ReactElement {
  return (
    <button type="button" className={[css['button'], css[look], className].join(' ')} {...rest}>
      {icon}
      <span>{children}</span>
    </button>
  );
}

export interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'children'> {
  /** What it does, for those who do not see the icon. */
  label: string;
  icon: ReactNode;
  look?: 'round' | 'bare' | 'off' | 'active' | 'danger';
  /** A key that does the same. */
  shortcut?: string;
  children?: ReactNode;
}

export function IconButton({ label, icon, look = 'round', shortcut, className, children, ...rest }: IconButtonProps): ReactElement {
  return (
    <button
      type="button"
      aria-label={label}
      aria-keyshortcuts={shortcut}
      title={shortcut ? `${label} (${shortcut.toUpperCase()})` : label}
      className={[css['icon'], css[`icon-${look}`], className].join(' ')}
      {...rest}
    >
      {icon}
      {children}
    </button>
  );
}
