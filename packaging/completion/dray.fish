# SPDX-License-Identifier: ISC
# The verb and the operands of what is typed, one a line.
function __dray_operands
    set -l taken 0
    for word in (commandline -opc)[2..]
        if test $taken = 1
            set taken 0
        else if contains -- $word $__dray_takers
            set taken 1
        else if not string match -q -- '-?*' $word
            echo $word
        end
    end
end
function __dray_no_verb
    test (count (__dray_operands)) = 0
end
# __dray_is VERB...
function __dray_is
    set -l operands (__dray_operands)
    test (count $operands) -gt 0; and contains -- $operands[1] $argv
end
# __dray_at VERB N: operand N (from 0) is being typed
function __dray_at
    __dray_is $argv[1]; and test (count (__dray_operands)) = (math $argv[2] + 1)
end

# Tasks that have a ledger; tasks of the daemon; subscriptions.
function __dray_ledgers
    dray status 2>/dev/null | string match -r '^[^ ].*'
end
function __dray_tasks
    dray task list 2>/dev/null | string replace -r ' .*' '' | tail -n +2
end
function __dray_subscriptions
    dray subscriptions list 2>/dev/null | string replace -r ' .*' ''
end
complete -c dray -n __dray_no_verb -l version -d "Tell dray's version"
complete -c dray -n __dray_no_verb -s h -l help -d 'Show the verbs'
