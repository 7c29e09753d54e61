/** Each asks `llmspell __complete` at every Tab, so that it knows the command line of the version that is installed. */
export const COMPLETION_SCRIPTS: Readonly<Record<'bash' | 'zsh' | 'fish', string>> = {
  // Bash takes words apart at `:` and `=`, where scopes have colons: they are put together again from the line,
  // and of what is offered, only what follows the last of these characters is handed back.
  bash: `_llmspell() {
  local words=() line=$COMP_LINE rest i
  for ((i = 0; i <= COMP_CWORD; i++)); do
    rest=\${line#"\${line%%[![:space:]]*}"}
    if ((i > 0)) && [[ -n $line && $rest == "$line" ]]; then
      words[\${#words[@]} - 1]+=\${COMP_WORDS[i]}
    else
      words+=("\${COMP_WORDS[i]}")
    fi
    line=\${rest#"\${COMP_WORDS[i]}"}
  done
  local current=\${words[\${#words[@]} - 1]} candidate
  local before=\${current%"\${current##*[:=]}"}
  COMPREPLY=()
  while IFS= read -r candidate; do
    if [[ $candidate == :files ]]; then
      compopt -o default
      return
    fi
    candidate=\${candidate%%$'\\t'*}
    printf -v candidate %q "\${candidate#"$before"}"
    COMPREPLY+=("$candidate")
  done < <("$1" __complete "\${words[@]:1}" 2>/dev/null)
}
complete -F _llmspell llmspell`,
  zsh: `#compdef llmspell
_llmspell() {
  local -a lines candidates
  local line value
  lines=("\${(@f)$("$words[1]" __complete "\${(@Q)words[2,CURRENT]}" 2>/dev/null)}")
  if [[ $lines[1] == :files ]]; then
    _files
    return
  fi
  for line in $lines; do
    value=\${line%%$'\\t'*}
    candidates+=("\${value//:/\\\\:}\${\${line#$value}/$'\\t'/:}")
  done
  (( $#candidates )) && _describe llmspell candidates
}
if [[ $funcstack[1] == _llmspell ]]; then _llmspell "$@"; else compdef _llmspell llmspell; fi`,
  fish: `function __llmspell_complete
  set -l words (commandline -opc) (commandline -ct)
  set -l lines ($words[1] __complete $words[2..-1] 2>/dev/null)
  if test "$lines" = ":files"
    __fish_complete_path (commandline -ct)
  else
    string join -- \\n $lines
  end
end
complete -c llmspell -f -a '(__llmspell_complete)'`,
};
