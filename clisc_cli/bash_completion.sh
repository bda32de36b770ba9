_clisc_completion() {
    # Bash breaks words at "=", so KEY=VALUE arrives in pieces: put them together again.
    local index word words=()
    for (( index = 0; index <= COMP_CWORD; index++ )); do
        word=${COMP_WORDS[index]}
        if (( ${#words[@]} > 1 )) && [[ $word == = || ${COMP_WORDS[index - 1]} == = ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
        fi
    done
    local current=${words[${#words[@]} - 1]} IFS=$'\n'
    COMPREPLY=( $( env COMP_WORDS="${words[*]}" COMP_CWORD=$(( ${#words[@]} - 1 )) \
                   _CLISC_COMPLETE=complete_bash "$1" ) )
    # Only what stands after the last "=" is Bash's to replace.
    [[ $current == *=* ]] && COMPREPLY=( "${COMPREPLY[@]#"${current%"${current##*=}"}"}" )
    # After KEY= a value follows: no space.
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2> /dev/null
    return 0
}

complete -o default -F _clisc_completion clisc
