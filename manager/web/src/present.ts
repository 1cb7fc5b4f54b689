// The manager sends every field that has no presence of its own, also if it has its default value:
// only messages may be missing, and times, which are messages that JSON writes as strings (Age and
// When take that into account).
export type Present<T> = T extends (infer Element)[]
  ? Present<Element>[]
  : T extends object
    ? { [K in keyof T as IsMessage<T[K]> extends true ? never : K]-?: Present<NonNullable<T[K]>> } & {
        [K in keyof T as IsMessage<T[K]> extends true ? K : never]?: Present<NonNullable<T[K]>>;
      }
    : T;

type IsMessage<T> =
  NonNullable<T> extends readonly unknown[]
    ? false
    : NonNullable<T> extends object
      ? string extends keyof NonNullable<T>
        ? false // a map
        : true
      : false;
