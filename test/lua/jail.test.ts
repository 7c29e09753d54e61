import { execFileSync } from 'node:child_process';
import {
  constants,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { noFiles, wholeFileSystem } from '../../src/lua/file-access.js';
import { Jail } from '../../src/lua/jail.js';

const { O_RDONLY, O_WRONLY, O_CREAT, O_TRUNC, O_EXCL } = constants;
const CREATE = O_WRONLY | O_CREAT | O_TRUNC;

let outside: string;
let root: string;
let jail: Jail;

beforeEach(() => {
  outside = mkdtempSync(join(tmpdir(), 'llmspell-jail-'));
  root = join(outside, 'root');
  mkdirSync(join(root, 'sub'), { recursive: true });
  mkdirSync(join(outside, 'root-but-not-really'));
  writeFileSync(join(root, 'in.txt'), 'inside');
  writeFileSync(join(outside, 'secret.txt'), 'secret');
  jail = new Jail([root]);
});

afterEach(() => rmSync(outside, { recursive: true }));

const bytes = (path: string) => Buffer.from(path);

function read(path: string): string {
  const file = jail.open(bytes(path), O_RDONLY, 0);
  const into = new Uint8Array(100);
  try {
    return Buffer.from(into.subarray(0, file.read(into))).toString();
  } finally {
    file.close();
  }
}

function write(path: string, flags = CREATE): void {
  const file = jail.open(bytes(path), flags, 0o644);
  file.write(Buffer.from('written'), 0, 7, false);
  file.close();
}

const refused = expect.objectContaining({ code: 'EPERM' });

describe('a jail', () => {
  it('opens what lies below its root, however the path is written', () => {
    expect(read(join(root, 'in.txt'))).toBe('inside');
    expect(read(`${root}/sub/../in.txt`)).toBe('inside');
    expect(read(`${root}//./in.txt`)).toBe('inside');
    expect(read(relative(process.cwd(), join(root, 'in.txt')))).toBe('inside');
    write(join(root, 'sub', 'new.txt'));
    expect(readFileSync(join(root, 'sub', 'new.txt'), 'utf8')).toBe('written');
  });

  it.each([
    ['a path that climbs out', () => `${root}/../secret.txt`],
    ['a path that climbs out further down', () => `${root}/sub/../../secret.txt`],
    ['an absolute path outside', () => join(outside, 'secret.txt')],
    ['a directory whose name only begins like the root', () => join(outside, 'root-but-not-really', 'x')],
    ['the directory above', () => `${root}/..`],
    ['the root of the file system', () => '/'],
    ['a process', () => '/proc/self/mem'],
    ['a descriptor', () => '/dev/fd/0'],
    ['a device', () => '/dev/null'],
    ['a system file', () => '/etc/passwd'],
    ['a directory that does not exist, outside', () => '/nowhere/at/all'],
  ])('refuses %s', (_, path) => {
    expect(() => read(path())).toThrow(refused);
    expect(() => write(path())).toThrow(refused);
    expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe('secret');
  });

  it('follows links that stay inside, and refuses those that lead out', () => {
    symlinkSync('in.txt', join(root, 'inner'));
    symlinkSync('sub', join(root, 'innerdir'));
    symlinkSync('../secret.txt', join(root, 'out'));
    symlinkSync(outside, join(root, 'outdir'));
    symlinkSync(join(outside, 'not-yet'), join(root, 'dangling'));
    symlinkSync('out', join(root, 'chain'));
    symlinkSync('loop', join(root, 'loop'));
    expect(read(join(root, 'inner'))).toBe('inside');
    write(join(root, 'innerdir', 'x'));
    expect(existsSync(join(root, 'sub', 'x'))).toBe(true);
    for (const name of ['out', 'chain', 'outdir/secret.txt'])
      expect(() => read(join(root, name)), name).toThrow(refused);
    for (const name of ['out', 'chain', 'dangling', 'outdir/new'])
      expect(() => write(join(root, name)), name).toThrow(refused);
    expect(() => read(join(root, 'loop'))).toThrow(expect.objectContaining({ code: 'ELOOP' }));
    expect(readFileSync(join(outside, 'secret.txt'), 'utf8')).toBe('secret');
    expect(existsSync(join(outside, 'not-yet'))).toBe(false);
    expect(existsSync(join(outside, 'new'))).toBe(false);
  });

  it('removes and renames inside only, and never the root itself', () => {
    jail.rename(bytes(join(root, 'in.txt')), bytes(join(root, 'sub', 'moved.txt')));
    expect(existsSync(join(root, 'sub', 'moved.txt'))).toBe(true);
    jail.unlink(bytes(join(root, 'sub', 'moved.txt')));
    jail.rmdir(bytes(`${root}/sub/`));
    expect(existsSync(join(root, 'sub'))).toBe(false);
    write(join(root, 'a'));
    expect(() => jail.rename(bytes(join(root, 'a')), bytes(join(outside, 'a')))).toThrow(refused);
    expect(() => jail.rename(bytes(join(outside, 'secret.txt')), bytes(join(root, 'b')))).toThrow(refused);
    expect(() => jail.unlink(bytes(join(outside, 'secret.txt')))).toThrow(refused);
    expect(() => jail.rename(bytes(root), bytes(join(root, 'c')))).toThrow(refused);
    jail.unlink(bytes(join(root, 'a')));
    expect(() => jail.rmdir(bytes(root))).toThrow(refused);
    expect(() => jail.readlink(bytes('/proc/self/exe'))).toThrow(refused);
  });

  it('removes a link, not what it leads to', () => {
    symlinkSync('../secret.txt', join(root, 'out'));
    jail.unlink(bytes(join(root, 'out')));
    expect(existsSync(join(outside, 'secret.txt'))).toBe(true);
  });

  it('refuses named pipes without waiting for their other end', () => {
    execFileSync('mkfifo', [join(root, 'pipe')]);
    expect(() => read(join(root, 'pipe'))).toThrow(refused);
  });

  it('tells inside why something failed', () => {
    expect(() => read(join(root, 'none'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => read(join(root, 'none', 'x'))).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => read(join(root, 'in.txt', 'x'))).toThrow(expect.objectContaining({ code: 'ENOTDIR' }));
    expect(() => write(join(root, 'in.txt'), O_WRONLY | O_CREAT | O_EXCL)).toThrow(
      expect.objectContaining({ code: 'EEXIST' }),
    );
    expect(() => read('')).toThrow(expect.objectContaining({ code: 'ENOENT' }));
    expect(() => read(join(root, 'x'.repeat(300)))).toThrow(expect.objectContaining({ code: 'ENAMETOOLONG' }));
  });

  it('may have a single file as its root, or a link to a directory', () => {
    symlinkSync(root, join(outside, 'link'));
    jail = new Jail([join(outside, 'secret.txt'), join(outside, 'link')]);
    expect(read(join(outside, 'secret.txt'))).toBe('secret');
    expect(read(join(outside, 'link', 'in.txt'))).toBe('inside');
    expect(() => read(join(outside, 'secret.txt.bak'))).toThrow(refused);
    expect(() => jail.unlink(bytes(join(outside, 'secret.txt')))).toThrow(refused);
  });

  it('allows nothing by a root that does not exist', () => {
    jail = new Jail([join(outside, 'later')]);
    expect(() => write(join(outside, 'later'))).toThrow(refused);
  });

  it('refuses /proc even where the root contains it', () => {
    jail = new Jail(['/']);
    expect(() => read('/proc/self/environ')).toThrow(refused);
    expect(() => read('/proc/self/cwd/package.json')).not.toThrow(); // a link to a place that is allowed
    expect(() => read('/dev/zero')).toThrow(refused);
  });

  it('does not leave descriptors open', () => {
    const count = () =>
      Number(
        execFileSync('ls', [`/proc/${process.pid}/fd`])
          .toString()
          .split('\n').length,
      );
    const before = count();
    symlinkSync('../secret.txt', join(root, 'out'));
    for (let i = 0; i < 50; i++) {
      for (const path of ['none', 'out', 'in.txt', '../secret.txt', 'sub']) {
        try {
          read(join(root, path));
        } catch {}
      }
    }
    // A leak in any of the five would leave fifty; the runner's own descriptors come and go.
    expect(count()).toBeLessThan(before + 10);
  });
});

describe('the whole file system', () => {
  it('holds everything but the insides of processes', () => {
    const open = (path: string) => wholeFileSystem.open(bytes(path), O_RDONLY, 0).close();
    expect(() => open('/proc/cpuinfo')).not.toThrow();
    expect(() => open('/etc/passwd')).not.toThrow();
    for (const path of ['/proc/self/mem', '/proc/self/environ', '/proc/thread-self/maps', `/proc/${process.pid}/stat`])
      expect(() => open(path), path).toThrow(refused);
  });
});

describe('no files', () => {
  it('refuses every call', () => {
    expect(() => noFiles.open(bytes('/etc/passwd'), O_RDONLY, 0)).toThrow(refused);
    expect(() => noFiles.unlink(bytes('x'))).toThrow(refused);
    expect(() => noFiles.rename(bytes('x'), bytes('y'))).toThrow(refused);
  });
});
