import { ChevronDown } from 'lucide-react';
import { type InputHTMLAttributes, type ReactElement, type SelectHTMLAttributes, useId } from 'react';
import css from './Field.module.css';

export function TextField({ label, ...rest }: { label: string } & InputHTMLAttributes<HTMLInputElement>): ReactElement {
  const id = useId();
  return (
    <div className={css['field']}>
      <label htmlFor={id}>{label}</label>
      <input id={id} className={css['input']} {...rest} />
    </div>
  );
}

export interface Choice {
  id: string;
  label: string;
}

export function SelectField({
  label,
  choices,
  value,
  empty,
  onPick,
  ...rest
}: {
  label: string;
  choices: readonly Choice[];
  value: string | undefined;
  /** Shown when there is nothing to choose from. */
  empty: string;
  onPick: (id: string) => void;
} & Omit<SelectHTMLAttributes<HTMLSelectElement>, 'value' | 'onChange'>): ReactElement {
  const id = useId();
  return (
    <div className={css['field']}>
      <label htmlFor={id}>{label}</label>
      <div className={css['select']}>
        <select
          id={id}
          className={css['input']}
          disabled={choices.length === 0}
          value={value}
          onChange={(e) => onPick(e.target.value)}
          {...rest}
        >
          {choices.length === 0 && <option>{empty}</option>}
          {choices.map((choice) => (
            <option key={choice.id} value={choice.id}>
              {choice.label}
            </option>
          ))}
        </select>
        <ChevronDown aria-hidden="true" />
      </div>
    </div>
  );
}
