// The names that ROMA's modules import, for `tsc --checkJs`.
type Cleanup = void | (() => void);

export function html(strings: TemplateStringsArray, ...values: unknown[]): any;
export function render(what: unknown, into: Element): void;
export class Component {
  props: any;
  state: any;
  [name: string]: any;
  setState(change: unknown): void;
}
export function useState<T = any>(initial: T | (() => T)): [any, (value: any) => void];
export function useRef<T = any>(initial: T): {current: any};
export function useMemo<T>(make: () => T, values: unknown[]): T;
export function useEffect(action: () => Cleanup, values?: unknown[]): void;
export function useLayoutEffect(action: () => Cleanup | unknown, values?: unknown[]): void;
