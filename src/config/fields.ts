/** What a configuration schema is made of. One table of these gives types, defaults, checks and documentation. */

interface Documented {
  /** One sentence for people: what it is, its unit, what 0 or an empty value means. */
  description: string;
}

export interface BooleanField extends Documented {
  kind: 'boolean';
  default: boolean;
}

export interface NumberField extends Documented {
  kind: 'integer' | 'number';
  default: number;
  min: number;
  max: number;
}

export interface TextField extends Documented {
  kind: 'text';
  default: string;
  /** A path: where relative, it is resolved. An empty one stays empty. */
  isPath: boolean;
}

export interface ListField extends Documented {
  kind: 'list';
  default: readonly string[];
  /** Its items are paths: where relative, they are resolved. */
  isPath: boolean;
}

export interface ChoiceField<V extends string = string> extends Documented {
  kind: 'choice';
  default: V;
  values: readonly V[];
  /** Names that are accepted and mean one of the values. */
  aliases: Readonly<Record<string, V>>;
}

export type Field = BooleanField | NumberField | TextField | ListField | ChoiceField;

export interface Section<F extends Fields = Fields, O extends boolean = boolean> extends Documented {
  kind: 'section';
  fields: F;
  /** An optional section is undefined in the configuration unless the file has it. */
  isOptional: O;
}

export type Fields = { readonly [name: string]: Field | Section };

type ValueOf<T extends Field | Section> =
  T extends Section<infer F, infer O>
    ? O extends true
      ? ConfigOf<F> | undefined
      : ConfigOf<F>
    : T extends BooleanField
      ? boolean
      : T extends NumberField
        ? number
        : T extends TextField
          ? string
          : T extends ListField
            ? string[]
            : T extends ChoiceField<infer V>
              ? V
              : never;

/** The configuration that a schema describes, every default filled in. */
export type ConfigOf<F extends Fields> = { -readonly [K in keyof F]: ValueOf<F[K]> };

export const boolean = (byDefault: boolean, description: string): BooleanField => ({
  kind: 'boolean',
  default: byDefault,
  description,
});

const numeric =
  (kind: 'integer' | 'number') =>
  (byDefault: number, range: { min: number; max: number }, description: string): NumberField => ({
    kind,
    default: byDefault,
    ...range,
    description,
  });

export const integer = numeric('integer');
export const number = numeric('number');

export const text = (byDefault: string, description: string): TextField => ({
  kind: 'text',
  default: byDefault,
  isPath: false,
  description,
});

export const path = (byDefault: string, description: string): TextField => ({
  ...text(byDefault, description),
  isPath: true,
});

const list =
  (isPath: boolean) =>
  (description: string): ListField => ({ kind: 'list', default: [], isPath, description });

export const paths = list(true);
export const names = list(false);

export const choice = <const V extends string>(
  byDefault: NoInfer<V>,
  values: readonly V[],
  description: string,
  aliases: Readonly<Record<string, NoInfer<V>>> = {},
): ChoiceField<V> => ({ kind: 'choice', default: byDefault, values, aliases, description });

export const section = <const F extends Fields>(description: string, fields: F): Section<F, false> => ({
  kind: 'section',
  fields,
  isOptional: false,
  description,
});

export const optionalSection = <const F extends Fields>(description: string, fields: F): Section<F, true> => ({
  kind: 'section',
  fields,
  isOptional: true,
  description,
});
