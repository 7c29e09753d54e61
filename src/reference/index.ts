import { backupSections } from './backups.js';
import { entrySections } from './entries.js';
import { migrationSections } from './migration.js';
import type { FunctionReference, Parameter, Section } from './model.js';

export { classes } from './classes.js';

/** All functions of `State`. */
export const sections: readonly Section[] = [...entrySections, ...backupSections, ...migrationSections];

/** The parameter lists that a function is called with: the full one, and the one without a scope. */
export const formsOf = ({ parameters, withoutScope }: FunctionReference): readonly (readonly Parameter[])[] =>
  withoutScope ? [parameters, withoutScope] : [parameters];
