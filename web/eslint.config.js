import hooks from 'eslint-plugin-react-hooks';
import tseslint from 'typescript-eslint';

export default tseslint.config(
  { ignores: ['dist', '**/dist', '**/node_modules', '*.mjs', '*.js', '*.config.ts', '*/*.config.ts', 'e2e/*.ts'] },
  ...tseslint.configs.strictTypeChecked,
  { languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } } },
  {
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true, allowBoolean: true }],
      // "return f()" in a function without a value reads well.
      '@typescript-eslint/no-confusing-void-expression': 'off',
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      eqeqeq: 'error',
    },
  },
  { files: ['**/test/**'], rules: { '@typescript-eslint/no-dynamic-delete': 'off' } },
  { files: ['app/**/*.{ts,tsx}'], ...hooks.configs.flat['recommended-latest'] },
);
