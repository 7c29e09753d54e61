describe("State", function()
  describe("keeps values exactly", function()
    local values = {
      ["a boolean"] = false,
      ["the largest integer"] = math.maxinteger,
      ["the smallest integer"] = math.mininteger,
      ["an infinity"] = -math.huge,
      ["bytes"] = "\0\255\128 not UTF-8",
      ["an empty string"] = "",
      ["an empty table"] = {},
      ["an array with holes"] = { 1, nil, 3, [10] = "ten" },
      ["keys of all kinds"] = { [1] = "a", [-1] = "b", [1.5] = "c", [true] = "d", x = { y = { z = {} } } },
    }
    for name, value in pairs(values) do
      it(name, function()
        State.set("s", "k", value)
        assert.are.same(value, State.get("s", "k"))
      end)
    end

    it("a float that is whole", function()
      State.set("s", "k", 1.0)
      assert.are.equal("float", math.type(State.get("s", "k")))
    end)

    it("not a number", function()
      State.set("s", "k", 0 / 0)
      local value = State.get("s", "k")
      assert.are_not.equal(value, value)
    end)
  end)

  it("gives a fresh table each time", function()
    State.set("s", "k", { 1 })
    State.get("s", "k")[1] = 2
    assert.are.same({ 1 }, State.get("s", "k"))
  end)

  it("names the path inside a value that cannot be stored", function()
    assert.error_matches(function() State.set("s", "k", { a = { cb = print } }) end, "value%.a%.cb: cannot store a function")
    local cycle = {}
    cycle[1] = cycle
    assert.has_error(function() State.set("s", "k", cycle) end)
    assert.is_false(State.has("s", "k"))
  end)

  it("tells scopes and keys apart that look alike", function()
    State.set("a:b", "c", 1)
    State.set("a", "b:c", 2)
    assert.are.equal(1, State.get("a:b", "c"))
    assert.are.same({ "a", "a:b" }, State.scopes())
  end)

  describe("is synchronous", function()
    before_each(function()
      for i = 1, 3 do State.set("list", "k" .. i, 4 - i) end
    end)

    it("inside a comparator", function()
      local keys = State.list("list")
      table.sort(keys, function(a, b) return State.get("list", a) < State.get("list", b) end)
      assert.are.same({ "k3", "k2", "k1" }, keys)
    end)

    it("inside gsub, a metamethod and a coroutine", function()
      assert.are.equal("3-1", (("k1-k3"):gsub("k%d", function(key) return State.get("list", key) end)))
      local proxy = setmetatable({}, { __index = function(_, key) return State.get("list", key) end })
      assert.are.equal(2, proxy.k2)
      assert.are.equal(3, coroutine.wrap(function() return State.get("list", "k1") end)())
    end)
  end)

  describe("a transaction", function()
    it("takes nothing where it raises", function()
      State.set("bank", "a", 10)
      assert.has_error(function()
        State.transaction(function()
          State.set("bank", "a", 0)
          error("no", 0)
        end)
      end, "no")
      assert.are.equal(10, State.get("bank", "a"))
    end)

    it("returns what its function returns", function()
      assert.are.same({ 1, "two" }, { State.transaction(function() return 1, "two" end) })
    end)
  end)
end)
