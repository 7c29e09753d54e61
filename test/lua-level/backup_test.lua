describe("backups", function()
  before_each(function()
    State.set("shop", "items", 3)
    State.set("shop", "name", "corner")
  end)

  it("bring back what was lost", function()
    local backup = State.create_backup()
    State.clear("shop")
    assert.is_true(State.restore_backup(backup.backup_id).success)
    assert.are.equal(3, State.get("shop", "items"))
  end)

  it("hold what has changed, one on the other", function()
    local full = State.create_backup { description = "full" }
    State.set("shop", "items", 2)
    local second = State.create_backup(true)
    State.delete("shop", "name")
    local third = State.create_backup { incremental = true }
    assert.are.same(
      { full.backup_id, second.backup_id },
      { second.parent_id, third.parent_id }
    )
    State.restore_backup(second.backup_id)
    assert.are.same({ 2, "corner" }, { State.get("shop", "items"), State.get("shop", "name") })
    State.restore_backup(third.backup_id)
    assert.is_nil(State.get("shop", "name"))
  end)

  it("can be undone", function()
    local backup = State.create_backup()
    State.set("shop", "items", 99)
    local restored = State.restore_backup(backup.backup_id)
    State.restore_backup(restored.rollback_id)
    assert.are.equal(99, State.get("shop", "items"))
  end)

  it("tell what failed instead of raising", function()
    local result = State.restore_backup("0000000000000000")
    assert.is_false(result.success)
    assert.matches("0000000000000000", result.error)
  end)

  it("leave scopes alone that are not asked for", function()
    State.set("other", "x", 1)
    local backup = State.create_backup()
    State.set("shop", "items", 0)
    State.set("other", "x", 2)
    State.restore_backup(backup.backup_id, { scopes = { "shop" } })
    assert.are.same({ 3, 2 }, { State.get("shop", "items"), State.get("other", "x") })
  end)
end)
