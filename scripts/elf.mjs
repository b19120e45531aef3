// Edits ELF files for their loader alone: the list of libraries that they ask for (DT_NEEDED), and what no
// loader reads. Little-endian, 32 or 64 bits. Layouts: elf.h (Elf64_Ehdr, Elf64_Phdr, Elf64_Dyn and kin).

const PT_LOAD = 1;
const PT_DYNAMIC = 2;
const DT_NULL = 0n;
const DT_NEEDED = 1n;
const DT_STRTAB = 5n;
/** A tag between DT_LOOS and DT_HIOS that no loader knows: glibc and musl skip such entries. */
export const ignoredTag = 0x6000000e;

const glibcLoader = /^ld-linux\b.*\.so\.\d+$/;

function layoutOf(view) {
  const isElf = view.byteLength >= 64 && view.getUint32(0) === 0x7f454c46;
  if (!isElf || view.getUint8(5) !== 1) throw new Error('not a little-endian ELF file');
  const word = (offset) => BigInt(view.getUint32(offset, true));
  const long = (offset) => view.getBigUint64(offset, true);
  return view.getUint8(4) === 2
    ? { word: long, size: 8, phoff: 32, phentsize: 54, offset: 8, vaddr: 16, filesz: 32 }
    : { word, size: 4, phoff: 28, phentsize: 42, offset: 4, vaddr: 8, filesz: 16 };
}

function segments(view, layout) {
  const first = Number(layout.word(layout.phoff));
  const size = view.getUint16(layout.phentsize, true);
  const count = view.getUint16(layout.phentsize + 2, true);
  return Array.from({ length: count }, (_, i) => {
    const at = first + i * size;
    return {
      type: view.getUint32(at, true),
      offset: Number(layout.word(at + layout.offset)),
      vaddr: Number(layout.word(at + layout.vaddr)),
      size: Number(layout.word(at + layout.filesz)),
    };
  });
}

/** The dynamic entries of the file: each with the file offset of its tag. */
function dynamicEntries(layout, dynamic) {
  const entries = [];
  for (let at = dynamic.offset; at < dynamic.offset + dynamic.size; at += 2 * layout.size) {
    const tag = layout.word(at);
    if (tag === DT_NULL) break;
    entries.push({ at, tag, value: Number(layout.word(at + layout.size)) });
  }
  return entries;
}

function readNeeded(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = layoutOf(view);
  const all = segments(view, layout);
  const dynamic = all.find(({ type }) => type === PT_DYNAMIC);
  if (!dynamic) throw new Error('an ELF file without a dynamic section');
  const entries = dynamicEntries(layout, dynamic);
  const table = entries.find(({ tag }) => tag === DT_STRTAB)?.value;
  const home = all.find(
    ({ type, vaddr, size }) => type === PT_LOAD && table >= vaddr && table < vaddr + size,
  );
  if (!home) throw new Error('an ELF file without a dynamic string table');
  const strings = home.offset + table - home.vaddr;
  const text = (start) => Buffer.from(bytes.subarray(start, bytes.indexOf(0, start))).toString('latin1');
  return entries
    .filter(({ tag }) => tag === DT_NEEDED)
    .map(({ at, value }) => ({ at, view, name: text(strings + value) }));
}

/** The names of the libraries that the file needs, in the loader's order. */
export function neededLibraries(bytes) {
  return readNeeded(bytes).map(({ name }) => name);
}

/**
 * A copy of the file in which one DT_NEEDED entry carries a tag that loaders skip; without a name, every
 * entry that names glibc's own loader (ld-linux*.so.*), which is there anyway under glibc and nowhere
 * under musl. A file that has no such entry comes back as it was.
 */
export function neutraliseNeeded(bytes, name) {
  const copy = Uint8Array.from(bytes);
  for (const entry of readNeeded(copy)) {
    const wanted = name === undefined ? glibcLoader.test(entry.name) : entry.name === name;
    if (wanted) entry.view.setUint32(entry.at, ignoredTag, true);
  }
  return copy;
}

/**
 * A copy of the file without what only linkers and debuggers read: the section headers, and all that lies
 * behind the last loaded segment (symbol table, section names, debugging). The loader is led by the program
 * headers, and finds its own symbols and strings by them, inside of what is loaded.
 */
export function stripSections(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const layout = layoutOf(view);
  const all = segments(view, layout);
  const endOf = ({ offset, size }) => offset + size;
  const end = Math.max(...all.filter(({ type }) => type === PT_LOAD).map(endOf));
  const outside = all.find((segment) => segment.size > 0 && endOf(segment) > end);
  if (outside) throw new Error(`a segment of type ${outside.type} lies behind all that is loaded`);
  const copy = Uint8Array.from(bytes.subarray(0, end));
  // e_shoff follows e_phoff; e_shentsize, e_shnum and e_shstrndx follow e_phentsize and e_phnum
  copy.fill(0, layout.phoff + layout.size, layout.phoff + 2 * layout.size);
  copy.fill(0, layout.phentsize + 4, layout.phentsize + 10);
  return copy;
}
