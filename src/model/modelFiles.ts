/** Files of the model in memory, each text by its path. */
export class ModelFiles {
  readonly #texts = new Map<string, { readonly text: string; readonly writtenAt: number }>();
  readonly #watchers = new Set<{ readonly folder: string; readonly onChange: () => void }>();
  readonly #later: (callback: () => void) => void;
  readonly #wallNow: () => number;

  /**
   * @param later calls back after the change, as a file system's notices come
   * @param wallNow milliseconds since 1970
   */
  constructor(later: (callback: () => void) => void, wallNow: () => number) {
    this.#later = later;
    this.#wallNow = wallNow;
  }

  /** How many folders are watched. */
  get watchers(): number {
    return this.#watchers.size;
  }

  /** Writes a file, or removes it where there is no text; `isNoticed` false as on a file system without notices. */
  write(path: string, text: string | undefined, isNoticed = true): void {
    if (text === undefined) this.#texts.delete(path);
    else this.#texts.set(path, { text, writtenAt: this.#wallNow() });
    if (!isNoticed) return;
    this.#later(() => {
      for (const watcher of [...this.#watchers])
        if (path.startsWith(`${watcher.folder}/`) && this.#watchers.has(watcher)) watcher.onChange();
    });
  }

  read(path: string): string | undefined {
    return this.#texts.get(path)?.text;
  }

  identify(folder: string): string | undefined {
    for (const path of this.#texts.keys()) if (path.startsWith(`${folder}/`)) return folder;
    return undefined;
  }

  newest(folder: string): number | undefined {
    const times = [...this.#texts]
      .filter(([path]) => path.startsWith(`${folder}/`))
      .map(([, { writtenAt }]) => writtenAt);
    return times.length === 0 ? undefined : Math.max(...times);
  }

  watch(folder: string, onChange: () => void): () => void {
    const watcher = { folder, onChange };
    this.#watchers.add(watcher);
    return () => void this.#watchers.delete(watcher);
  }
}
