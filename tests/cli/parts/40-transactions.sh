# Transactions: nothing runs here, but every question has its answer.
run 0 txn list; err_has "there are no transactions"
run 0 txn list --state Ongoing; err_has "there are no such transactions"
run 0 txn list --format json; json "it['transactions']==[]"
run 2 txn list --state Sleeping; err_has "is no state of a transaction"
run 2 txn list --longer-than 5; err_has "5"
run 1 txn describe nobody; err_has "TRANSACTIONAL_ID_NOT_FOUND"
run 1 txn abort nobody -y; err_has "TRANSACTIONAL_ID_NOT_FOUND"
run 2 txn abort -y; err_has "name transactional ids"
run 0 topic create ledger -p 2
run 1 txn abort -t ledger -p 1 -y; err_has "no such transaction is open in ledger[1]"
run 1 txn abort -t ledger -p 7 -y; err_has "there is no partition ledger[7]"
