import { MULTIPLE_RESULTS, type Pointer, REGISTRY, STATUS } from './api.js';
import type { LuaVm } from './vm.js';

/**
 * What a name at the end of a line may become: globals and keywords, or the fields after `.` and the functions after `:`. It calls nothing of the script:
 * an `__index` is followed where it is a table.
 */
const COMPLETE = `
  local type, getmetatable, next, rawget, globals = type, getmetatable, next, rawget, _G
  local match, gmatch, sub, sort = string.match, string.gmatch, string.sub, table.sort
  local KEYWORDS = 'and break do else elseif end false for function goto if in local nil not or repeat return then true until while'
  local unpack, min, DEEPEST, MOST = table.unpack, math.min, 20, 200

  local function behind(object)
    local meta = getmetatable(object)
    local index = type(meta) == 'table' and rawget(meta, '__index')
    return type(index) == 'table' and index or nil
  end

  -- The tables in which a field of the object is looked for.
  local function tables(object)
    local found = {}
    local at = type(object) == 'table' and object or behind(object)
    while at ~= nil and #found < DEEPEST do
      found[#found + 1] = at
      at = behind(at)
    end
    return found
  end

  local function field(object, name)
    for _, at in next, tables(object) do
      local value = rawget(at, name)
      if value ~= nil then return value end
    end
  end

  return function(text)
    local word = match(text, '[%a_][%w_.:]*$') or ''
    local path, separator, start = match(word, '^(.*)([.:])([%w_]*)$')
    local object = globals
    for name in gmatch(path or '', '[^.:]+') do object = field(object, name) end
    start = start or word
    local candidates, seen = {}, {}
    local function add(name)
      if seen[name] or sub(name, 1, #start) ~= start then return end
      seen[name], candidates[#candidates + 1] = true, name
    end
    for _, at in next, tables(object) do
      for name, value in next, at do
        local fits = type(name) == 'string' and match(name, '^[%a_][%w_]*$')
        if fits and (separator ~= ':' or type(value) == 'function') then add(name) end
      end
    end
    if not path then for name in gmatch(KEYWORDS, '%l+') do add(name) end end
    sort(candidates)
    return #start, unpack(candidates, 1, min(#candidates, MOST))
  end`;

/** Puts the function that completes into the registry, with the libraries as they are now; returns its reference. */
export function installCompletion(vm: LuaVm): number {
  return vm.keep(COMPLETE);
}

/** What the end of a text may become, and how many of its characters each candidate stands for. */
export function completionsOf(vm: LuaVm, reference: number, text: string): { candidates: string[]; length: number } {
  const { lua } = vm;
  let length = 0;
  const candidates: string[] = [];
  const complete = (L: Pointer): number => {
    lua.lua_rawgeti(L, REGISTRY, BigInt(reference));
    vm.pushText(L, text);
    if (lua.lua_pcallk(L, 1, MULTIPLE_RESULTS, 0, 0, 0) !== STATUS.ok) return 0;
    length = lua.lua_tonumberx(L, 1, 0);
    for (let i = 2; i <= lua.lua_gettop(L); i++) candidates.push(vm.text(L, i));
    return 0;
  };
  vm.protect(complete, 0);
  return { candidates, length };
}
