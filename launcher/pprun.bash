# shellcheck shell=bash
# Completion of pprun(1) for bash.
_pprun()
{
    local word=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]} i=1
    local valued=' --hosts --hostfile -n --mpi --workers --timeout --retries '
    local options='-- --hosts --hostfile -n --preload --mpi --workers --timeout --retries --progress --plain-mpirun --stats --info --dry-run
        --version --help'
    COMPREPLY=()

    # Behind the program's name everything is the program's.
    while ((i < COMP_CWORD)); do
        case ${COMP_WORDS[i]} in
        --) ((i++)); break ;;
        =) ((i++)) ;; # readline takes --mpi=openmpi for three words
        -*) [[ $valued == *" ${COMP_WORDS[i]} "* && ${COMP_WORDS[i + 1]} != = ]] && ((i++)) ;;
        *) break ;;
        esac
        ((i++))
    done
    if ((i < COMP_CWORD)); then
        compopt -o default 2> /dev/null
        return
    fi
    if [[ $previous == = ]]; then previous=${COMP_WORDS[COMP_CWORD - 2]}; fi
    if [[ $word == = ]]; then word=''; fi

    case $previous in
    --mpi) mapfile -t COMPREPLY < <(compgen -W 'openmpi mpich' -- "$word") ;;
    --hosts) # the last of a list
        local list=''
        [[ $word != *,* ]] || list=${word%,*},
        mapfile -t COMPREPLY < <(compgen -P "$list" -A hostname -- "${word##*,}")
        compopt -o nospace 2> /dev/null
        ;;
    --hostfile) compopt -o filenames 2> /dev/null; mapfile -t COMPREPLY < <(compgen -f -- "$word") ;;
    -n | --workers | --timeout | --retries) ;;
    *)
        if [[ $word == -* ]]; then
            mapfile -t COMPREPLY < <(compgen -W "$options" -- "$word")
        else
            compopt -o filenames 2> /dev/null
            mapfile -t COMPREPLY < <(compgen -c -- "$word"; compgen -d -- "$word")
        fi
        ;;
    esac
}
complete -F _pprun pprun
